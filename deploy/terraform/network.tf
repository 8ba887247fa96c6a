# Who may talk to whom: the world to the load balancer, that to the api, and api and relay to Redis.

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "Headway's load balancer"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "api" {
  name        = "${var.name}-api"
  description = "Headway's api"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "relay" {
  name        = "${var.name}-relay"
  description = "Headway's relay"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "redis" {
  name        = "${var.name}-redis"
  description = "Headway's Redis"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "world_to_balancer" {
  for_each          = { http = 80, https = 443 }
  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_api" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.api.id
  from_port                    = local.api_port
  to_port                      = local.api_port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "balancer_to_api" {
  security_group_id            = aws_security_group.api.id
  referenced_security_group_id = aws_security_group.balancer.id
  from_port                    = local.api_port
  to_port                      = local.api_port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "to_redis" {
  for_each                     = { api = aws_security_group.api.id, relay = aws_security_group.relay.id }
  security_group_id            = aws_security_group.redis.id
  referenced_security_group_id = each.value
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "monitoring_to_api" {
  for_each                     = toset(var.monitoring_security_group_ids)
  security_group_id            = aws_security_group.api.id
  referenced_security_group_id = each.value
  from_port                    = local.api_port
  to_port                      = local.api_port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "monitoring_to_relay" {
  for_each                     = toset(var.monitoring_security_group_ids)
  security_group_id            = aws_security_group.relay.id
  referenced_security_group_id = each.value
  from_port                    = local.relay_port
  to_port                      = local.relay_port
  ip_protocol                  = "tcp"
}

# DynamoDB, the registry, the logs and the issuer's keys are elsewhere.
resource "aws_vpc_security_group_egress_rule" "tasks_to_world" {
  for_each          = { api = aws_security_group.api.id, relay = aws_security_group.relay.id }
  security_group_id = each.value
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
