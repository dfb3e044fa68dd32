# Build: the compiler and the development packages stay in this stage.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
COPY workers ./workers
COPY loadtest ./loadtest
COPY native-free-bench ./native-free-bench
RUN npx tsc && npm prune --omit=dev --ignore-scripts

# Run: Debian, because the embedded ClickHouse needs glibc. No shell is used, nothing is written outside /data.
FROM node:24-bookworm-slim
ENV NODE_ENV=production UV_THREADPOOL_SIZE=16
RUN mkdir /data && chown 65532:65532 /data
WORKDIR /opt/millrace
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY configs ./configs
USER 65532:65532
VOLUME /data
# OTLP/gRPC, OTLP/HTTP, the engine's own metrics.
EXPOSE 4317 4318 8888
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8888/metrics').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/main.js", "--data-dir", "/data"]
CMD ["--config", "configs/docker/default.yaml"]
