variable "name" {
  description = "Before all names."
  type        = string
}

variable "database_url" {
  description = "What the services call their database by."
  type        = string
  sensitive   = true
}

data "aws_caller_identity" "me" {}

data "aws_region" "here" {}

resource "aws_kms_key" "this" {
  description         = "${var.name}: database, bucket, secrets, logs"
  enable_key_rotation = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "owner"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.here.region}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
      },
    ]
  })
}

resource "random_password" "made" {
  for_each = toset(["GRADEWATCH_PSEUDONYM_SECRET", "GRADEWATCH_TOKEN_SECRET", "GRADEWATCH_FIRST_KEY"])
  length   = 48
  special  = false
}

locals {
  values = merge(
    { for name, made in random_password.made : name => made.result },
    { GRADEWATCH_DATABASE_URL = var.database_url },
  )
  names = toset(["GRADEWATCH_PSEUDONYM_SECRET", "GRADEWATCH_TOKEN_SECRET", "GRADEWATCH_FIRST_KEY", "GRADEWATCH_DATABASE_URL"])
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:another pseudonym secret would part old records from new ones; the token secret is changed by hand
  for_each   = local.names
  name       = "${var.name}/${each.key}"
  kms_key_id = aws_kms_key.this.arn
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each      = local.names
  secret_id     = aws_secretsmanager_secret.this[each.key].id
  secret_string = local.values[each.key]
}

output "arns" {
  description = "Of each secret, by the variable that it becomes."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "key_arn" {
  description = "The key of this installation."
  value       = aws_kms_key.this.arn
}
