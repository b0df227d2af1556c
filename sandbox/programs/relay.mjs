// Makes one address on the sandbox's own loopback lead to a unix socket of the service, then runs a command:
// `node relay.mjs PORT SOCKET COMMAND...`. Standard and extra file descriptors 0 to 4 are passed on.
import { spawn } from 'node:child_process'
import net from 'node:net'

const [port, socket, command, ...rest] = process.argv.slice(2)

const server = net.createServer({ allowHalfOpen: true }, (client) => {
  const upstream = net.connect({ path: socket, allowHalfOpen: true })
  client.pipe(upstream)
  upstream.pipe(client)
  client.on('error', () => upstream.destroy())
  upstream.on('error', () => client.destroy())
})

server.listen(Number(port), '127.0.0.1', () => {
  const extra = process.env.STICH_RELAY_PIPES ? [3, 4] : []
  const child = spawn(command, rest, { stdio: [0, 1, 2, ...extra] })
  child.on('error', (error) => {
    console.error(String(error))
    process.exit(127)
  })
  child.on('exit', (code) => process.exit(code ?? 1))
})
