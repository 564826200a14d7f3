# lowtide in a container: the demo by default, and every other command of lowtide.
#   docker build -t lowtide . && docker run --rm --read-only --cap-drop ALL -p 9788:9788 lowtide
# Both stages have the same base: the second one takes over a virtual environment, which points at the base's Python.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY deploy/lock deploy/lock
# --without-pip: the environments are filled by the base's pip, and hold none themselves.
RUN python3 -m venv --without-pip /opt/build && python3 -m venv --without-pip /opt/lowtide \
 && python3 -m pip --no-cache-dir --disable-pip-version-check --python /opt/build/bin/python \
      install --no-deps --require-hashes -r deploy/lock/build.txt \
 && python3 -m pip --no-cache-dir --disable-pip-version-check --python /opt/lowtide/bin/python \
      install --no-deps --require-hashes --only-binary :all: -r deploy/lock/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
# The wheel carries them, and is not built without.
COPY dashboards/lowtide-fleet.json dashboards/lowtide-process.json dashboards/
# What Python never reads goes: type stubs and C sources of the dependencies.
RUN /opt/build/bin/python -m hatchling build -t wheel \
 && python3 -m pip --no-cache-dir --disable-pip-version-check --python /opt/lowtide/bin/python \
      install --no-deps --no-index dist/*.whl \
 && python3 -m pip --python /opt/lowtide/bin/python check \
 && find /opt/lowtide/lib -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -delete
COPY deploy/entrypoint.sh deploy/healthcheck.py /opt/lowtide/

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="lowtide" \
      org.opencontainers.image.description="Finds asyncio task leaks: exporter, audit, alert rules, and a service that leaks." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/lowtide/lowtide" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/lowtide /opt/lowtide
# Inside a container loopback is nobody's; which port is published, and to whom, is decided by who runs it.
ENV PATH=/opt/lowtide/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 LOWTIDE_HOST=0.0.0.0
# A number, not a name: Kubernetes' runAsNonRoot can't look names up.
USER 10001:10001
WORKDIR /opt/lowtide
EXPOSE 9788
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["python3", "-I", "-S", "/opt/lowtide/healthcheck.py"]
ENTRYPOINT ["/opt/lowtide/entrypoint.sh"]
CMD ["demo"]
