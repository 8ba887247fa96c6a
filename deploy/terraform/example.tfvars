region             = "us-east-1"
vpc_id             = "vpc-0123456789abcdef0"
private_subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
public_subnet_ids  = ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]
certificate_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
image              = "123456789012.dkr.ecr.us-east-1.amazonaws.com/headway:0.1.0"
existing_table     = "jobs" # leave it out, and one is made

auth = {
  jwks_url = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE/.well-known/jwks.json"
  issuer   = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE"
}

# TF_VAR_redis_api_password and TF_VAR_redis_relay_password come from the environment.
