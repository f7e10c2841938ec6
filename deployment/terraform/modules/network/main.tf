variable "name" {
  description = "Before all names."
  type        = string
}

data "aws_availability_zones" "here" {
  #checkov:skip=CKV_AWS_394:the first two are taken, whichever come later
  state = "available"
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:flow logs cost more than they tell here; the services log every request
  cidr_block           = "10.40.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_default_security_group" "none" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
  availability_zone = data.aws_availability_zones.here.names[count.index]
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index + 10)
  availability_zone = data.aws_availability_zones.here.names[count.index]
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_eip" "nat" {
  domain     = "vpc"
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[0].id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.this.id
  }
}

resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table_association" "private" {
  count          = 2
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_security_group" "balancer" {
  #checkov:skip=CKV2_AWS_5:the module of the services attaches it
  name        = "${var.name}-balancer"
  description = "Whoever calls, by TLS alone"
  vpc_id      = aws_vpc.this.id
  ingress {
    description = "HTTPS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    description = "to the services"
    from_port   = 8000
    to_port     = 8501
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.this.cidr_block]
  }
}

resource "aws_security_group" "service" {
  #checkov:skip=CKV2_AWS_5:the module of the services attaches it
  name        = "${var.name}-service"
  description = "The services: called by the balancer, calling the database, the bucket and whom alerts go to"
  vpc_id      = aws_vpc.this.id
  ingress {
    description     = "from the balancer"
    from_port       = 8000
    to_port         = 8501
    protocol        = "tcp"
    security_groups = [aws_security_group.balancer.id]
  }
  egress {
    #checkov:skip=CKV_AWS_382:a database of another provider, mail and webhooks have ports and addresses of their own
    description = "database, bucket, mail, webhooks"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Where the balancer is."
  value       = aws_subnet.public[*].id
}

output "private_subnet_ids" {
  description = "Where services and database are."
  value       = aws_subnet.private[*].id
}

output "balancer_group" {
  description = "Security group of the balancer."
  value       = aws_security_group.balancer.id
}

output "service_group" {
  description = "Security group of the services."
  value       = aws_security_group.service.id
}
