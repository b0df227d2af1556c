// Serves plain files on a listening socket inherited from the service: `node static.mjs FD`.
// Pages reload by themselves when a file changes.
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'

const root = fs.realpathSync(process.env.STICH_WORKSPACE ?? '/workspace')
const hidden = new Set(['node_modules', 'dist', '.cache', 'biome.json', 'package.json'])
const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
}
const reload = `<script type="module">new EventSource('/__stich/changes').onmessage = () => location.reload()</script>`
const watchers = new Set()

function find(pathname) {
  const parts = decodeURIComponent(pathname).split('/').filter(Boolean)
  if (parts.some((part) => part === '..' || part.includes('\0')) || hidden.has(parts[0])) return null
  const asked = path.join(root, ...parts)
  for (const candidate of [asked, path.join(asked, 'index.html'), `${asked}.html`]) {
    try {
      // A link may not lead out of the project.
      if (fs.realpathSync(candidate) === candidate && fs.statSync(candidate).isFile()) return candidate
    } catch {
      continue
    }
  }
  return null
}

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost')
  if (pathname === '/__stich/health') return response.end('ok')
  if (pathname === '/__stich/changes') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(': watching\n\n')
    watchers.add(response)
    response.on('close', () => watchers.delete(response))
    return undefined
  }
  let file = null
  try {
    file = find(pathname)
  } catch {
    file = null
  }
  if (!file) {
    response.writeHead(404, { 'content-type': 'text/html; charset=utf-8' })
    return response.end(`<!doctype html><title>Not found</title><p>There is no such page.</p>${reload}`)
  }
  const type = types[path.extname(file).toLowerCase()] ?? 'application/octet-stream'
  let body = fs.readFileSync(file)
  if (type.startsWith('text/html')) body = Buffer.concat([body, Buffer.from(`\n${reload}\n`)])
  response.writeHead(200, { 'content-type': type, 'content-length': body.length, 'cache-control': 'no-store' })
  return response.end(request.method === 'HEAD' ? undefined : body)
})

let pending = null
fs.watch(root, { recursive: true }, (_, name) => {
  if (!name || hidden.has(String(name).split(path.sep)[0])) return
  clearTimeout(pending)
  pending = setTimeout(() => {
    for (const watcher of watchers) watcher.write('data: changed\n\n')
  }, 50)
})
server.listen({ fd: Number(process.argv[2]) })
console.log(JSON.stringify({ ready: true }))
