# Tested with buildah on another Debian base with Python 3.13, because this base image could not be pulled.
# The emulator only, for tests in any language: docker build -f deploy/emulator.Dockerfile -t meta-emulator .
# docker run --rm -p 127.0.0.1:8090:8090 meta-emulator --allow-host emulator
FROM python:3.13-slim-bookworm@sha256:01f42367a0a94ad4bc17111776fd66e3500c1d87c15bbd6055b7371d39c124fb
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.txt
COPY meta_emulator ./meta_emulator
USER 65534:65534
EXPOSE 8090
ENTRYPOINT ["python", "-m", "meta_emulator", "--host", "0.0.0.0", "--unsafe", "--json"]
