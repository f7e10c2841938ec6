variable "name" {
  description = "Before all names."
  type        = string
}

variable "region" {
  description = "Where logs go."
  type        = string
}

variable "image_registry" {
  description = "Before the images' names."
  type        = string
}

variable "image_tag" {
  description = "Which images."
  type        = string
}

variable "api_host" {
  description = "Name of the API."
  type        = string
}

variable "dashboard_host" {
  description = "Name of the dashboard."
  type        = string
}

variable "api_count" {
  description = "Tasks of the API."
  type        = number
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "public_subnet_ids" {
  description = "Of the balancer."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Of the tasks."
  type        = list(string)
}

variable "service_group" {
  description = "Security group of the tasks."
  type        = string
}

variable "balancer_group" {
  description = "Security group of the balancer."
  type        = string
}

variable "certificate_arn" {
  description = "Of both names."
  type        = string
}

variable "secret_arns" {
  description = "Secrets by the variables that they become."
  type        = map(string)
}

variable "key_arn" {
  description = "The key of secrets, bucket and logs."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "bucket_arn" {
  description = "The bucket, for the tasks' policy."
  type        = string
}
