# The two services, of one image.

locals {
  api_port   = 8000
  relay_port = 9100

  ports = { api = local.api_port, relay = local.relay_port }
  sizes = { api = var.api_size, relay = var.relay_size }

  commands = {
    api   = ["python", "-m", "api"]
    relay = ["python", "-m", "workers", "relay"]
  }

  settings = {
    AWS_REGION           = var.region
    HEADWAY_TABLE        = local.jobs_table
    HEADWAY_LEASES_TABLE = aws_dynamodb_table.leases.name
    HEADWAY_HOST         = "0.0.0.0"
    HEADWAY_LOG_LEVEL    = var.log_level
    HEADWAY_LOG_FORMAT   = "json"
  }

  settings_of = {
    api = {
      HEADWAY_PORT                = tostring(local.api_port)
      HEADWAY_AUTH_JWKS_URL       = var.auth.jwks_url
      HEADWAY_AUTH_ISSUER         = var.auth.issuer
      HEADWAY_AUTH_AUDIENCE       = var.auth.audience
      HEADWAY_AUTH_COOKIE         = var.auth.cookie
      HEADWAY_CORS_ORIGINS        = join(",", var.cors_origins)
      HEADWAY_STREAMS_PER_USER    = tostring(var.streams_per_user)
      HEADWAY_STREAMS_PER_PROCESS = tostring(var.streams_per_process)
    }
    relay = {
      HEADWAY_METRICS_PORT = tostring(local.relay_port)
    }
  }

  secrets_of = {
    api = {
      HEADWAY_REDIS_URL     = aws_secretsmanager_secret.redis_url["api"].arn
      HEADWAY_AUTH_SECRET   = var.auth_secret_arn
      HEADWAY_CURSOR_SECRET = var.cursor_secret_arn
    }
    relay = {
      HEADWAY_REDIS_URL = aws_secretsmanager_secret.redis_url["relay"].arn
    }
  }
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = local.commands
  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.commands
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = local.sizes[each.key].cpu
  memory                   = local.sizes[each.key].memory
  execution_role_arn       = aws_iam_role.starter.arn
  task_role_arn            = aws_iam_role.this[each.key].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([{
    name                   = each.key
    image                  = var.image
    command                = each.value
    essential              = true
    user                   = "10001"
    readonlyRootFilesystem = true
    portMappings           = [{ containerPort = local.ports[each.key], protocol = "tcp" }]
    ulimits                = [{ name = "nofile", softLimit = 65535, hardLimit = 65535 }]
    environment = [
      for name, value in merge(local.settings, local.settings_of[each.key]) : { name = name, value = value } if value != null && value != ""
    ]
    secrets = [
      for name, arn in local.secrets_of[each.key] : { name = name, valueFrom = arn } if arn != null
    ]

    # Both stop within a second of SIGTERM; the rest is for a machine that is busy.
    stopTimeout     = 10
    linuxParameters = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }

    # ECS does not look at the image's own.
    healthCheck = {
      command     = ["CMD", "python", "-S", "/headway/probe.py", "live"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 20
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-region        = var.region
        awslogs-group         = aws_cloudwatch_log_group.this[each.key].name
        awslogs-stream-prefix = each.key
      }
    }
  }])

  # A task that starts before its secret has a value fails.
  depends_on = [aws_secretsmanager_secret_version.redis_url]
}

resource "aws_ecs_service" "relay" {
  name            = "relay"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this["relay"].arn
  desired_count   = var.relay_tasks
  launch_type     = "FARGATE"

  # New ones first: the old ones hand their shards over when they are stopped.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.relay.id]
    assign_public_ip = var.assign_public_ip
  }
}

resource "aws_ecs_service" "api" {
  name            = "api"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this["api"].arn
  desired_count   = var.api_tasks.least
  launch_type     = "FARGATE"

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 30

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.api.id]
    assign_public_ip = var.assign_public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.api.arn
    container_name   = "api"
    container_port   = local.api_port
  }

  # Autoscaling decides how many there are.
  lifecycle {
    ignore_changes = [desired_count]
  }

  depends_on = [aws_lb_listener.https]
}

resource "aws_appautoscaling_target" "api" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.api.name}"
  min_capacity       = var.api_tasks.least
  max_capacity       = var.api_tasks.most
}

resource "aws_appautoscaling_policy" "api" {
  for_each           = { cpu = "ECSServiceAverageCPUUtilization", memory = "ECSServiceAverageMemoryUtilization" }
  name               = each.key
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.api.service_namespace
  scalable_dimension = aws_appautoscaling_target.api.scalable_dimension
  resource_id        = aws_appautoscaling_target.api.resource_id

  # Slow to shrink: each step moves streams.
  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 30
    scale_in_cooldown  = 600

    predefined_metric_specification {
      predefined_metric_type = each.value
    }
  }
}
