variable "zone_id" {
  description = "The hosted zone."
  type        = string
}

variable "hosts" {
  description = "Names to make; the certificate is of the first, and of the others too."
  type        = list(string)
}

variable "alb_name" {
  description = "Where they lead: the balancer's name."
  type        = string
}

variable "alb_zone" {
  description = "And its zone."
  type        = string
}

resource "aws_acm_certificate" "this" {
  domain_name               = var.hosts[0]
  subject_alternative_names = slice(var.hosts, 1, length(var.hosts))
  validation_method         = "DNS"
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "proof" {
  for_each = { for one in aws_acm_certificate.this.domain_validation_options : one.domain_name => one }
  zone_id  = var.zone_id
  name     = each.value.resource_record_name
  type     = each.value.resource_record_type
  records  = [each.value.resource_record_value]
  ttl      = 300
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.proof : record.fqdn]
}

resource "aws_route53_record" "host" {
  for_each = toset(var.hosts)
  zone_id  = var.zone_id
  name     = each.key
  type     = "A"
  alias {
    name                   = var.alb_name
    zone_id                = var.alb_zone
    evaluate_target_health = true
  }
}

output "certificate_arn" {
  description = "Of the names, once it is proved that they are ours."
  value       = aws_acm_certificate_validation.this.certificate_arn
}
