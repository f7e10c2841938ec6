locals {
  # Not /ready: a task that the balancer calls unhealthy is ended, which mends neither a database nor a model that is not there yet.
  services = {
    api       = { port = 8000, count = var.api_count, cpu = 512, memory = 1024, host = var.api_host, health = "/health" }
    dashboard = { port = 8501, count = 1, cpu = 512, memory = 2048, host = var.dashboard_host, health = "/_stcore/health" }
    worker    = { port = 0, count = 1, cpu = 1024, memory = 4096, host = "", health = "" }
  }
  open = { for name, service in local.services : name => service if service.port > 0 }
  settings = {
    GRADEWATCH_ENVIRONMENT    = "production"
    GRADEWATCH_AUTH           = "on"
    GRADEWATCH_ALLOWED_HOSTS  = "*" # the balancer lets through its two names alone, and asks for health by addresses
    GRADEWATCH_DASHBOARD_URL  = "https://${var.dashboard_host}"
    GRADEWATCH_INBOX          = "s3://${var.bucket}/inbox"
    GRADEWATCH_NOTICE_SECONDS = "10"
    GRADEWATCH_LOG_FORMAT     = "ecs"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}"
  retention_in_days = 365
  kms_key_id        = var.key_arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# Whoever starts the tasks: reads secrets, writes logs.
resource "aws_iam_role" "starter" {
  name               = "${var.name}-starter"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "starter" {
  role       = aws_iam_role.starter.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(var.secret_arns)
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [var.key_arn]
  }
}

resource "aws_iam_role_policy" "starter" {
  name   = "secrets"
  role   = aws_iam_role.starter.id
  policy = data.aws_iam_policy_document.secrets.json
}

# The tasks themselves: their bucket and nothing else.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "bucket" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
  }
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${var.bucket_arn}/*"]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "bucket"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.bucket.json
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.services
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.starter.arn
  task_role_arn            = aws_iam_role.task.arn
  volume {
    name = "data"
  }
  volume {
    name = "tmp"
  }
  container_definitions = jsonencode([{
    name                   = each.key
    image                  = "${var.image_registry}gradewatch-${each.key}${startswith(var.image_tag, "@") ? "" : ":"}${var.image_tag}"
    essential              = true
    user                   = "1000:1000"
    readonlyRootFilesystem = true
    stopTimeout            = 60
    portMappings           = each.value.port > 0 ? [{ containerPort = each.value.port, protocol = "tcp" }] : []
    environment            = [for key, value in local.settings : { name = key, value = value }]
    secrets                = [for key, arn in var.secret_arns : { name = key, valueFrom = arn }]
    mountPoints = [
      { sourceVolume = "data", containerPath = "/var/lib/gradewatch", readOnly = false },
      { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  for_each                           = local.services
  name                               = each.key
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this[each.key].arn
  desired_count                      = each.value.count
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.private_subnet_ids
    security_groups = [var.service_group]
  }
  dynamic "load_balancer" {
    for_each = each.value.port > 0 ? [each.value.port] : []
    content {
      target_group_arn = aws_lb_target_group.this[each.key].arn
      container_name   = each.key
      container_port   = load_balancer.value
    }
  }
  depends_on = [aws_lb_listener_rule.this]
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:the services log every request, without addresses as they were typed
  #checkov:skip=CKV2_AWS_28:the API limits callers itself; put a WAF before it where the law asks for one
  #checkov:skip=CKV2_AWS_76:the same
  name                       = var.name
  load_balancer_type         = "application"
  security_groups            = [var.balancer_group]
  subnets                    = var.public_subnet_ids
  drop_invalid_header_fields = true
  enable_deletion_protection = true
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the balancer; behind it the network is ours alone
  for_each             = local.open
  name                 = "${var.name}-${each.key}"
  port                 = each.value.port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30
  health_check {
    path                = each.value.health
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
  stickiness {
    type    = "lb_cookie"
    enabled = each.key == "dashboard"
  }
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "not here"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each     = local.open
  listener_arn = aws_lb_listener.this.arn
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
  condition {
    host_header {
      values = [each.value.host]
    }
  }
}

output "alb_name" {
  description = "Where the names lead."
  value       = aws_lb.this.dns_name
}

output "alb_zone" {
  description = "And its zone."
  value       = aws_lb.this.zone_id
}
