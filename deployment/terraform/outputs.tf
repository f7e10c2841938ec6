output "api_url" {
  description = "What programs call."
  value       = "https://${var.api_host}"
}

output "dashboard_url" {
  description = "What people open."
  value       = "https://${var.dashboard_host}"
}

output "first_key_command" {
  description = "Prints the first key, an administrator's."
  value       = "aws secretsmanager get-secret-value --secret-id ${module.secrets.arns["GRADEWATCH_FIRST_KEY"]} --query SecretString --output text"
}
