# The image of every Headway process; which one it is, the command says.
FROM python:3.13-slim AS packages
COPY requirements.lock .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home headway \
 && install -d -o headway /media
COPY --from=packages /venv /venv
WORKDIR /headway
COPY streams streams
COPY workers workers
COPY api api
COPY client client
USER headway
EXPOSE 8000 9100
CMD ["python", "-m", "api"]
