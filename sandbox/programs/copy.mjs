// "Builds" a project of plain files: copies what is to be published into dist/.
import fs from 'node:fs'
import path from 'node:path'

const root = process.env.STICH_WORKSPACE ?? '/workspace'
const target = path.join(root, 'dist')
const left = new Set(['node_modules', 'dist', '.cache', 'biome.json', 'package.json'])

for (const name of fs.readdirSync(target)) fs.rmSync(path.join(target, name), { recursive: true, force: true })
for (const name of fs.readdirSync(root)) {
  if (left.has(name)) continue
  fs.cpSync(path.join(root, name), path.join(target, name), {
    recursive: true,
    filter: (source) => !fs.lstatSync(source).isSymbolicLink(),
  })
}
console.log(JSON.stringify({ failed: [], warnings: [] }))
