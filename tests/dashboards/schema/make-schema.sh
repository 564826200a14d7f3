#!/bin/sh
# Make grafana.schema.json anew from the types that Grafana publishes. Needs npm; takes half a minute.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../../.cache/grafana-schema
mkdir -p "$cache"
cd "$cache"
[ -f package.json ] || echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund @grafana/schema@13.2.2 typescript-json-schema@0.68.0
cp "$here/types.ts" types.ts
npx typescript-json-schema types.ts Grafana --required --strictNullChecks --noExtraProps --ignoreErrors \
  --skipLibCheck --out grafana.schema.json
# What Grafana's types leave open (a query, the options of any panel) has no properties: it may hold anything.
node - grafana.schema.json "$here/grafana.schema.json" <<'END'
const [from, to] = process.argv.slice(2);
const fs = require('fs');
const open = (_, value) => {
  if (value && value.additionalProperties === false && !Object.keys(value.properties || {}).length) {
    delete value.additionalProperties;
  }
  return value;
};
fs.writeFileSync(to, JSON.stringify(JSON.parse(fs.readFileSync(from, 'utf8'), open), null, 1) + '\n');
END
