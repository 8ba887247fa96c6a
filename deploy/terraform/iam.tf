# One role for each: the api reads jobs, the relay reads the stream, your pipeline writes. The policies are ../iam.

locals {
  tables = { jobs_table = local.jobs_table_arn, leases_table = aws_dynamodb_table.leases.arn }

  roles = {
    api    = ["ecs-tasks.amazonaws.com"]
    relay  = ["ecs-tasks.amazonaws.com"]
    writer = var.writer_services
  }

  secret_arns = compact([
    aws_secretsmanager_secret.redis_url["api"].arn,
    aws_secretsmanager_secret.redis_url["relay"].arn,
    var.auth_secret_arn,
    var.cursor_secret_arn,
  ])
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = each.value
    }
  }
}

resource "aws_iam_role" "this" {
  for_each           = local.roles
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles
  name     = "tables"
  role     = aws_iam_role.this[each.key].id
  policy   = templatefile("${path.module}/../iam/${each.key}.json", local.tables)
}

# What starts the tasks: pulls the image, writes the logs, hands over the secrets.

resource "aws_iam_role" "starter" {
  name               = "${var.name}-starter"
  assume_role_policy = data.aws_iam_policy_document.trust["api"].json
}

resource "aws_iam_role_policy_attachment" "starter" {
  role       = aws_iam_role.starter.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_partition" "here" {}

data "aws_iam_policy_document" "secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = local.secret_arns
  }
}

resource "aws_iam_role_policy" "secrets" {
  name   = "secrets"
  role   = aws_iam_role.starter.id
  policy = data.aws_iam_policy_document.secrets.json
}
