# The image of every Headway process; which one it is, the command says. What it weighs: docs/deploy.md.

FROM debian:trixie-slim AS packages
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils python3-venv
COPY requirements.lock .
ARG MORE_PACKAGES=""
RUN python3 -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && if [ -n "$MORE_PACKAGES" ]; then /venv/bin/pip install --no-cache-dir $MORE_PACKAGES; fi
COPY deploy/trim.sh .
RUN sh trim.sh /venv/lib/python3.13/site-packages

# Without what installs packages, and without perl, which only that needs.
FROM debian:trixie-slim AS root
ENV PATH=/venv/bin:/usr/bin:/bin:/usr/sbin:/sbin PYTHONDONTWRITEBYTECODE=1
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libpython3-stdlib python3-minimal \
 && useradd --uid 10001 --no-create-home headway \
 && install -d -o headway /media \
 && dpkg --purge --force-depends --force-remove-essential apt debian-archive-keyring libapt-pkg7.0 perl-base sqv \
 && rm -rf /var/lib/apt /var/cache/* /var/log/* /usr/share/doc/* /usr/share/man/*
COPY --from=packages /venv /venv
WORKDIR /headway
COPY deploy/probe.py .
COPY client client
COPY streams streams
COPY workers workers
COPY api api
# Stops the build if something that a start needs was trimmed away; and the modules are compiled, for a fast start.
RUN python -c "import api.__main__, workers.__main__, workers.aws_lambda" \
 && python -m compileall -q streams workers api

# One layer: what was removed above does not lie below.
FROM scratch
COPY --from=root / /
ENV PATH=/venv/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /headway
USER 10001
EXPOSE 8000 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-S", "probe.py", "live"]
CMD ["python", "-m", "api"]
