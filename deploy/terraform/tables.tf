# The jobs table, unless there is one, and the table in which the relays agree who follows what.

locals {
  jobs_table     = var.existing_table == null ? aws_dynamodb_table.jobs[0].name : data.aws_dynamodb_table.existing[0].name
  jobs_table_arn = var.existing_table == null ? aws_dynamodb_table.jobs[0].arn : data.aws_dynamodb_table.existing[0].arn
}

data "aws_dynamodb_table" "existing" {
  count = var.existing_table == null ? 0 : 1
  name  = var.existing_table

  lifecycle {
    postcondition {
      condition     = self.stream_enabled && self.stream_view_type == "NEW_AND_OLD_IMAGES"
      error_message = "Headway follows the table's stream: enable it, with view type NEW_AND_OLD_IMAGES."
    }
    postcondition {
      condition     = contains([for index in self.global_secondary_index : index.name], "UserJobsIndex")
      error_message = "The table has no index UserJobsIndex (user_id, created_at; projection ALL)."
    }
  }
}

resource "aws_dynamodb_table" "jobs" {
  count            = var.existing_table == null ? 1 : 0
  name             = "${var.name}-jobs"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "job_id"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  deletion_protection_enabled = true

  dynamic "attribute" {
    for_each = merge({ job_id = "S", user_id = "S", created_at = "N" }, var.status_index ? { status = "S" } : {})
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  global_secondary_index {
    name            = "UserJobsIndex"
    hash_key        = "user_id"
    range_key       = "created_at"
    projection_type = "ALL"
  }

  # Better is (user_id + status, created_at), which provider versions before 6.29 cannot say: docs/deploy.md.
  dynamic "global_secondary_index" {
    for_each = var.status_index ? [1] : []
    content {
      name            = "UserStatusIndex"
      hash_key        = "user_id"
      range_key       = "status"
      projection_type = "ALL"
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_dynamodb_table" "leases" {
  name         = "${var.name}-leases"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "stream"
  range_key    = "shard"

  attribute {
    name = "stream"
    type = "S"
  }

  attribute {
    name = "shard"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }
}
