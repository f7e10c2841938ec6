variable "name" {
  description = "Name of the installation, before the names of all that is made."
  type        = string
  default     = "gradewatch"
}

variable "region" {
  description = "Where it runs; records of students stay there."
  type        = string
  default     = "eu-central-1"
}

variable "image_registry" {
  description = "Where the images lie, made with EXTRAS=cloud, which reads the inbox; a slash at the end: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/"
  type        = string
}

variable "image_tag" {
  description = "Which images: a version (make version), or @sha256:…"
  type        = string
}

variable "zone_id" {
  description = "The hosted zone of Route 53 in which the names are made."
  type        = string
}

variable "api_host" {
  description = "Name by which programs call the API."
  type        = string
}

variable "dashboard_host" {
  description = "Name by which people call the dashboard."
  type        = string
}

variable "atlas_uri" {
  description = "A MongoDB connection string (Atlas) to use instead of a PostgreSQL made here; empty: PostgreSQL."
  type        = string
  default     = ""
  sensitive   = true
}

variable "database_class" {
  description = "Size of the PostgreSQL."
  type        = string
  default     = "db.t4g.small"
}

variable "api_count" {
  description = "Processes of the API."
  type        = number
  default     = 2
}
