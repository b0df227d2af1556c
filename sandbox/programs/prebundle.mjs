// Bundles the template's libraries for the development server into .cache/vite.
import fs from 'node:fs'
import path from 'node:path'
import { developing, root, vite } from './vite.mjs'

const resolved = await vite.resolveConfig(developing(null), 'serve')
const metadata = await vite.optimizeDeps(resolved, true)

// Nobody debugs these libraries, and every session copies them: without their maps they are a third of the size.
const folder = path.join(root, '.cache/vite/deps')
for (const name of fs.readdirSync(folder)) {
  const file = path.join(folder, name)
  if (name.endsWith('.map')) fs.rmSync(file)
  else if (name.endsWith('.js')) {
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'))
  }
}
console.log(JSON.stringify({ bundled: Object.keys(metadata.optimized).length }))
