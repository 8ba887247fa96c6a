output "address" {
  description = "Where the api is reached; point your domain here."
  value       = aws_lb.api.dns_name
}

output "jobs_table" {
  description = "The table that your pipeline writes."
  value       = local.jobs_table
}

output "writer_role_arn" {
  description = "The role for your pipeline."
  value       = aws_iam_role.this["writer"].arn
}

output "leases_table" {
  description = "HEADWAY_LEASES_TABLE, for `python -m workers parked`."
  value       = aws_dynamodb_table.leases.name
}
