# The load balancer. An event stream is a response that lasts ten minutes: it must not be cut for being quiet,
# nor hold up a deployment.

resource "aws_lb" "api" {
  name               = var.name
  load_balancer_type = "application"
  security_groups    = [aws_security_group.balancer.id]
  subnets            = var.public_subnet_ids

  # Streams ping every 15 s, so they never idle. The api keeps connections for longer (api/http/server.py), so that no
  # request is sent into one that is just being closed.
  idle_timeout = 60

  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "api" {
  name        = var.name
  vpc_id      = var.vpc_id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.api_port

  # An open stream is an outstanding request, so streams are spread evenly, also over tasks that came later.
  load_balancing_algorithm_type = "least_outstanding_requests"

  # Open streams are told to come back when the task gets SIGTERM; waiting longer before would only delay that.
  deregistration_delay = 10

  # Live, not ready: while Redis is away the api still serves, and to replace all of it then would help nobody.
  health_check {
    path                = "/health/live"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.api.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.api.arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

# What operators ask is not for the world.
resource "aws_lb_listener_rule" "inside_only" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = ["/metrics", "/health/*"]
    }
  }

  action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "text/plain"
    }
  }
}
