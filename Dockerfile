# One image for every role: `quarry namenode`, `quarry datanode` and the client's commands.
FROM node:22-bookworm AS build
WORKDIR /quarry
COPY package.json package-lock.json .npmrc ./
# Native packages are compiled here; the build itself runs once the sources are there.
RUN npm ci --ignore-scripts && npm rebuild
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
WORKDIR /quarry
COPY --from=build /quarry/package.json ./
COPY --from=build /quarry/bin ./bin
COPY --from=build /quarry/dist ./dist
COPY --from=build /quarry/node_modules ./node_modules
RUN ln -s /quarry/bin/quarry.js /usr/local/bin/quarry && mkdir /data && chown node:node /data
# The user that runs the namenode is the superuser of the file system: `node`.
USER node
VOLUME /data
ENV NODE_ENV=production QUARRY_DIR=/data
ENTRYPOINT ["quarry"]
CMD ["--help"]
