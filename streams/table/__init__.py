"""DynamoDB: its client, the tables' schema, and reads of jobs, one by one or in pages."""
