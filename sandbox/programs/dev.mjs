// Development server on a listening socket inherited from the service: `node dev.mjs FD`.
// Prints one JSON line when ready; afterwards its output is the server's log.
import http from 'node:http'
import { developing, vite } from './vite.mjs'

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

serve = (request, response) => {
  if (request.url === '/__stich/health') {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.end('ok')
    return
  }
  server.middlewares(request, response)
}
console.log(JSON.stringify({ ready: true }))
for (const [request, response] of waiting) serve(request, response)
