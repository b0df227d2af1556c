# One image for every role: `stich worker`, `stich api`, `stich migrate`. See temporal-dev.yml.
FROM node:22-bookworm-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm install --no-save --no-audit --no-progress
COPY web/ ./
RUN npm run build

FROM node:22-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      python3 python3-venv bubblewrap chromium-headless-shell fonts-liberation libseccomp2 ca-certificates \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/stich
COPY requirements.lock ./
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
ENV PATH=/opt/venv/bin:$PATH STICH_HOME=/var/lib/stich STICH_LOG_FORMAT=json PYTHONPATH=/opt/stich
COPY . ./
COPY --from=web /build/web/dist ./web/dist
# The templates are prepared when a worker starts: that needs namespaces, which an image build has not.
ENTRYPOINT ["/opt/stich/scripts/container"]
