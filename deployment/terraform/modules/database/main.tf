variable "name" {
  description = "Before all names."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Where it lies; no address of it is public."
  type        = list(string)
}

variable "client_group" {
  description = "Security group of those who may call it."
  type        = string
}

variable "instance_class" {
  description = "Its size."
  type        = string
}

variable "key_arn" {
  description = "The key that its disk is encrypted with."
  type        = string
}

resource "random_password" "this" {
  length  = 40
  special = false
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "Called by the services alone"
  vpc_id      = var.vpc_id
  ingress {
    description     = "PostgreSQL"
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [var.client_group]
  }
}

resource "aws_db_parameter_group" "this" {
  name   = var.name
  family = "postgres17"
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }
  parameter {
    name  = "log_statement"
    value = "ddl"
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_161:the password is made here and lies in Secrets Manager; the driver signs in by URL
  #checkov:skip=CKV_AWS_118:enhanced monitoring needs a role of its own; /metrics says when the database is slow
  #checkov:skip=CKV2_AWS_30:statements are logged by duration and kind, without their parameters, which are students' data
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.instance_class
  allocated_storage               = 50
  max_allocated_storage           = 500
  storage_encrypted               = true
  kms_key_id                      = var.key_arn
  db_name                         = "gradewatch"
  username                        = "gradewatch"
  password                        = random_password.this.result
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this.id]
  parameter_group_name            = aws_db_parameter_group.this.name
  multi_az                        = true
  publicly_accessible             = false
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  deletion_protection             = true
  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  final_snapshot_identifier       = "${var.name}-final"
}

output "url" {
  description = "GRADEWATCH_DATABASE_URL."
  value       = "postgresql://gradewatch:${random_password.this.result}@${aws_db_instance.this.endpoint}/gradewatch?sslmode=require"
  sensitive   = true
}
