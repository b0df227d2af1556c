// Bundles the template's libraries for the development server into .cache/vite.
import fs from 'node:fs'
import path from 'node:path'
import { configuration, root, vite } from './vite.mjs'

const resolved = await vite.resolveConfig(configuration({}), 'serve')
const metadata = await vite.optimizeDeps(resolved, true)

// The server would send each library's source map along with it: three times the bytes, for code nobody debugs.
const folder = path.join(root, '.cache/vite/deps')
for (const name of fs.readdirSync(folder)) {
  const file = path.join(folder, name)
  if (name.endsWith('.map')) fs.rmSync(file)
  else if (name.endsWith('.js')) {
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'))
  }
}
console.log(JSON.stringify({ bundled: Object.keys(metadata.optimized).length }))
