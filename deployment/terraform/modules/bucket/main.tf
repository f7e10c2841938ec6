variable "name" {
  description = "Before all names."
  type        = string
}

variable "key_arn" {
  description = "The key that it is encrypted with."
  type        = string
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:models and backups are copied elsewhere by whoever wants that; the database has snapshots
  #checkov:skip=CKV_AWS_18:the services log what they read and write
  #checkov:skip=CKV2_AWS_62:nobody is to be told of new models: services look for them
  bucket_prefix = "${var.name}-"
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    id     = "old versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 90
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

output "name" {
  description = "Its name: the inbox is s3://NAME/inbox."
  value       = aws_s3_bucket.this.bucket
}

output "arn" {
  description = "For policies."
  value       = aws_s3_bucket.this.arn
}
