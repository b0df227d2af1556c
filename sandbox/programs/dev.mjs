// Development server on a listening socket inherited from the service: `node dev.mjs FD`.
// Prints one JSON line when ready; afterwards its output is the server's log.
import http from 'node:http'
import { changed, developing, seen, vite } from './vite.mjs'

const descriptor = Number(process.argv[2])
const listener = http.createServer()
let serve = null
const waiting = []

listener.on('request', (request, response) => {
  if (serve) serve(request, response)
  else waiting.push([request, response])
})
listener.listen({ fd: descriptor })

const server = await vite.createServer(developing(listener))

// A page that is opened shows what is on disk now, even where the watcher has not told of a change yet.
function refresh() {
  const graph = server.environments.client.moduleGraph
  let stale = false
  for (const module of graph.idToModuleMap.values()) {
    if (module.transformResult && seen.has(module.file) && changed(module.file) !== seen.get(module.file)) {
      graph.invalidateModule(module)
      stale = true
    }
  }
  if (!stale) return
  // Style sheets hold the classes that the other files use.
  for (const module of graph.idToModuleMap.values()) {
    if (module.file?.endsWith('.css') && seen.has(module.file)) graph.invalidateModule(module)
  }
}

serve = (request, response) => {
  if (request.url === '/__stich/health') {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.end('ok')
    return
  }
  if (request.headers.accept?.includes('text/html')) refresh()
  server.middlewares(request, response)
}
console.log(JSON.stringify({ ready: true }))
for (const [request, response] of waiting) serve(request, response)
