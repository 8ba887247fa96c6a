variable "region" {
  description = "AWS region of everything here."
  type        = string
}

variable "name" {
  description = "Prefix of every name here."
  type        = string
  default     = "headway"
}

# The network, which exists.

variable "vpc_id" {
  description = "VPC of the services, Redis and the load balancer."
  type        = string
}

variable "private_subnet_ids" {
  description = "Subnets of the services and of Redis, in at least two zones; they need a way to DynamoDB, the registry and the issuer's keys."
  type        = list(string)
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer, in at least two zones."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Give tasks public addresses: for subnets without NAT or endpoints."
  type        = bool
  default     = false
}

variable "certificate_arn" {
  description = "ACM certificate of the load balancer."
  type        = string
}

variable "monitoring_security_group_ids" {
  description = "Security groups of what scrapes /metrics."
  type        = list(string)
  default     = []
}

# The tables.

variable "existing_table" {
  description = "Name of a jobs table that exists; null makes one. Its stream must be on, with NEW_AND_OLD_IMAGES."
  type        = string
  default     = null
}

variable "status_index" {
  description = "Give a new table UserStatusIndex (user_id, status), which makes counts by status cheap."
  type        = bool
  default     = true
}

variable "writer_services" {
  description = "AWS services that may take the writer's role: where your pipeline runs."
  type        = list(string)
  default     = ["ecs-tasks.amazonaws.com"]
}

# Redis.

variable "redis_node_type" {
  description = "ElastiCache node type; docs/scale.md says which."
  type        = string
  default     = "cache.t4g.small"
}

variable "redis_shards" {
  description = "Node groups; more than one makes it a cluster, which Headway finds out by itself."
  type        = number
  default     = 1
}

variable "redis_replicas" {
  description = "Replicas of each node group; 0 means that a failed node is away until it is replaced."
  type        = number
  default     = 1
}

variable "redis_api_password" {
  description = "Password of the api's Redis user, 16 to 128 letters and digits."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{16,128}$", var.redis_api_password))
    error_message = "16 to 128 letters and digits: the password stands in a URL."
  }
}

variable "redis_relay_password" {
  description = "Password of the relay's Redis user, 16 to 128 letters and digits."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{16,128}$", var.redis_relay_password))
    error_message = "16 to 128 letters and digits: the password stands in a URL."
  }
}

# The services.

variable "image" {
  description = "Headway's image, in a registry that the tasks can pull from."
  type        = string
}

variable "cpu_architecture" {
  description = "X86_64 or ARM64, as the image was built."
  type        = string
  default     = "X86_64"
}

variable "auth" {
  description = "Who may come in: the issuer of the tokens, and the cookie that may carry one."
  type = object({
    jwks_url = optional(string)
    issuer   = optional(string)
    audience = optional(string)
    cookie   = optional(string, "__Host-session")
  })
}

variable "auth_secret_arn" {
  description = "Secrets Manager secret with the HS256 key, where tokens are signed with one."
  type        = string
  default     = null
}

variable "cursor_secret_arn" {
  description = "Secrets Manager secret with the key of the list's cursors; without it they are signed with the HS256 key or the table's name."
  type        = string
  default     = null
}

variable "cors_origins" {
  description = "Origins of frontends on other hosts."
  type        = list(string)
  default     = []
}

variable "log_level" {
  description = "debug, info, warning or error."
  type        = string
  default     = "info"
}

variable "log_days" {
  description = "Days for which CloudWatch keeps the logs."
  type        = number
  default     = 30
}

variable "api_tasks" {
  description = "Fewest and most api tasks; each is one process, which uses one core."
  type        = object({ least = number, most = number })
  default     = { least = 2, most = 10 }
}

variable "api_size" {
  description = "CPU units and MiB of an api task."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 1024, memory = 2048 }
}

variable "streams_per_user" {
  description = "Open streams of one user in one task; beyond that 429."
  type        = number
  default     = 100
}

variable "streams_per_process" {
  description = "Open streams of one task; beyond that 503, and the client comes back elsewhere."
  type        = number
  default     = 20000
}

variable "relay_tasks" {
  description = "Relay tasks; they share the shards, and two are enough to survive one."
  type        = number
  default     = 2
}

variable "relay_size" {
  description = "CPU units and MiB of a relay task."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 512, memory = 1024 }
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told when Redis fills up."
  type        = list(string)
  default     = []
}
