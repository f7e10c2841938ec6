# Gradewatch on one cloud (AWS), end to end: network, database, bucket, secrets, services behind one balancer, names.
#     cp backend.tf.example backend.tf && terraform init && terraform apply -var-file=my-school.tfvars

module "network" {
  source = "./modules/network"
  name   = var.name
}

module "database" {
  source         = "./modules/database"
  count          = var.atlas_uri == "" ? 1 : 0
  name           = var.name
  vpc_id         = module.network.vpc_id
  subnet_ids     = module.network.private_subnet_ids
  client_group   = module.network.service_group
  instance_class = var.database_class
  key_arn        = module.secrets.key_arn
}

module "bucket" {
  source  = "./modules/bucket"
  name    = var.name
  key_arn = module.secrets.key_arn
}

module "secrets" {
  source       = "./modules/secrets"
  name         = var.name
  database_url = var.atlas_uri == "" ? module.database[0].url : var.atlas_uri
}

module "dns" {
  source   = "./modules/dns"
  zone_id  = var.zone_id
  hosts    = [var.api_host, var.dashboard_host]
  alb_name = module.service.alb_name
  alb_zone = module.service.alb_zone
}

module "service" {
  source             = "./modules/service"
  name               = var.name
  region             = var.region
  image_registry     = var.image_registry
  image_tag          = var.image_tag
  api_host           = var.api_host
  dashboard_host     = var.dashboard_host
  api_count          = var.api_count
  vpc_id             = module.network.vpc_id
  public_subnet_ids  = module.network.public_subnet_ids
  private_subnet_ids = module.network.private_subnet_ids
  service_group      = module.network.service_group
  balancer_group     = module.network.balancer_group
  certificate_arn    = module.dns.certificate_arn
  secret_arns        = module.secrets.arns
  key_arn            = module.secrets.key_arn
  bucket             = module.bucket.name
  bucket_arn         = module.bucket.arn
}
