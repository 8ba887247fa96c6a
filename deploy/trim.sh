#!/bin/sh
# Take out of a site-packages folder what no Headway process imports: two thirds of it. Run when the image is built.
set -eu
cd "$1"

# It has done its work.
rm -rf pip pip-*.dist-info

# Litestar's command line, its examples and its test client.
rm -rf faker* polyfactory* rich* pygments* markdown_it* mdurl* httpx* httpcore* litestar_htmx*

# uvicorn's WebSockets, reloader and .env files.
rm -rf websockets* watchfiles* dotenv python_dotenv*

# AWS services that are not called. sts, sso, sso-oidc and signin give credentials; the files are for all services.
find botocore/data -mindepth 1 -maxdepth 1 -type d \
  ! -name dynamodb ! -name dynamodbstreams ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
rm -rf boto3/examples boto3/data

# Sources and symbols of what is compiled.
find . -type f \( -name '*.c' -o -name '*.h' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.pyx' \) -delete
find . -type f -name '*.so' -exec strip --strip-unneeded {} +
