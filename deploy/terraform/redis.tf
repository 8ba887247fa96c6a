# Valkey on ElastiCache: TLS, a user each for api and relay, and never an eviction.

locals {
  is_cluster = var.redis_shards > 1

  # A cluster is asked at its configuration endpoint, and says there who owns what.
  redis_host = local.is_cluster ? aws_elasticache_replication_group.redis.configuration_endpoint_address : aws_elasticache_replication_group.redis.primary_endpoint_address

  # The nodes' names, as ElastiCache gives them: headway-001, in a cluster headway-0001-001.
  redis_nodes = toset([
    for place in setproduct(range(1, var.redis_shards + 1), range(1, var.redis_replicas + 2)) :
    local.is_cluster ? format("%s-%04d-%03d", var.name, place...) : format("%s-%03d", var.name, place[1])
  ])

  redis_passwords = { api = var.redis_api_password, relay = var.redis_relay_password }
}

resource "aws_elasticache_replication_group" "redis" {
  replication_group_id = var.name
  description          = "Headway: latest states and pub/sub"
  engine               = "valkey"
  engine_version       = "8.0"
  node_type            = var.redis_node_type
  port                 = 6379
  parameter_group_name = aws_elasticache_parameter_group.redis.name
  subnet_group_name    = aws_elasticache_subnet_group.redis.name
  security_group_ids   = [aws_security_group.redis.id]
  user_group_ids       = [aws_elasticache_user_group.redis.user_group_id]

  num_node_groups            = var.redis_shards
  replicas_per_node_group    = var.redis_replicas
  automatic_failover_enabled = var.redis_replicas > 0 || local.is_cluster
  multi_az_enabled           = var.redis_replicas > 0

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true

  # No snapshots: the table is the truth, and what Redis forgets is read again.
  snapshot_retention_limit = 0
}

resource "aws_elasticache_parameter_group" "redis" {
  name   = var.name
  family = "valkey8"

  # An evicted state would let an older one pass for new. Full, Redis refuses, and the relay holds until there is room.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }

  parameter {
    name  = "cluster-enabled"
    value = local.is_cluster ? "yes" : "no"
  }
}

resource "aws_elasticache_subnet_group" "redis" {
  name       = var.name
  subnet_ids = var.private_subnet_ids
}

resource "aws_elasticache_user" "this" {
  for_each      = toset(["api", "relay"])
  user_id       = "${var.name}-${each.key}"
  user_name     = "${var.name}-${each.key}"
  engine        = "valkey"
  access_string = trimspace(file("${path.module}/../redis/${each.key}.acl"))

  authentication_mode {
    type      = "password"
    passwords = [local.redis_passwords[each.key]]
  }
}

resource "aws_elasticache_user_group" "redis" {
  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [for user in aws_elasticache_user.this : user.user_id]
}

resource "aws_secretsmanager_secret" "redis_url" {
  for_each = toset(["api", "relay"])
  name     = "${var.name}/${each.key}/redis-url"
}

resource "aws_secretsmanager_secret_version" "redis_url" {
  for_each      = aws_secretsmanager_secret.redis_url
  secret_id     = each.value.id
  secret_string = "rediss://${var.name}-${each.key}:${local.redis_passwords[each.key]}@${local.redis_host}:6379/0"
}

resource "aws_cloudwatch_metric_alarm" "redis_memory" {
  for_each            = local.redis_nodes
  alarm_name          = "${each.key}-memory"
  alarm_description   = "Redis fills up; full, it refuses writes and every bar stands still. docs/operations.md says what to do."
  namespace           = "AWS/ElastiCache"
  metric_name         = "DatabaseMemoryUsagePercentage"
  dimensions          = { CacheClusterId = each.key }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 75
  period              = 300
  evaluation_periods  = 2
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
