// Bundles the template's libraries for the development server into .cache/vite.
import { configuration, vite } from './vite.mjs'

const resolved = await vite.resolveConfig(configuration({}), 'serve')
const metadata = await vite.optimizeDeps(resolved, true)
console.log(JSON.stringify({ bundled: Object.keys(metadata.optimized).length }))
