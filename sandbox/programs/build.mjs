// Production build into dist/. Prints one JSON line with its findings; exit status 1 when it failed.
import path from 'node:path'
import { configuration, root, vite } from './vite.mjs'

const warnings = []
const logger = vite.createLogger('silent')
logger.warn = logger.warnOnce = (message) => warnings.push(String(message))

function described(error) {
  const place = error.loc ?? {}
  const file = place.file ?? error.id
  return {
    code: error.code ?? error.plugin ?? 'build',
    message: String(error.message ?? error),
    file: file ? path.relative(root, String(file).split('?')[0]) : null,
    line: place.line ?? error.line ?? null,
    column: typeof place.column === 'number' ? place.column + 1 : null,
  }
}

let failed = []
try {
  await vite.build(
    configuration({
      customLogger: logger,
      build: { outDir: path.join(root, 'dist'), emptyOutDir: true, reportCompressedSize: false, chunkSizeWarningLimit: 4096 },
    }),
  )
} catch (error) {
  failed = (error.errors?.length ? error.errors : [error]).map(described)
}
console.log(JSON.stringify({ failed, warnings: warnings.slice(0, 50) }))
process.exit(failed.length ? 1 : 0)
