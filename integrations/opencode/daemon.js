// agent_exec: connections to its daemon, which is started where there is none.
//
// The protocol is that of agent_exec/daemon/protocol.py: one JSON object a line, both ways; each
// side proves that it can read the token. Nothing is imported but what node and bun bring along.

import { spawn } from "node:child_process"
import { createHmac, randomBytes } from "node:crypto"
import { constants, promises as fs } from "node:fs"
import { createConnection } from "node:net"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"
import setup from "./setup.js"

const HANDSHAKE_MS = 5000
const START_MS = 30000
const CANCEL_MS = 15000
const LONGEST_ADDRESS = 107
// Another daemon, or none, is to be tried for these.
const PASSING = new Set(["not_running", "replaced", "draining", "gone"])

export class DaemonError extends Error {
  constructor(message, code) {
    super(message)
    this.code = code
  }
}

/**
 * Run `exchange` with a daemon, which is started if there is none; again, if it has just gone.
 *
 * It gets a connection, and what to call before anything that may not happen twice.
 */
export async function withDaemon(exchange) {
  return again(connect, async (connection, begin) => {
    try {
      return await exchange(connection, begin)
    } finally {
      connection.close()
    }
  })
}

let kept = null

/** The same with the one connection that stays as long as opencode does. */
export async function withKept(exchange) {
  return again(keptConnection, exchange)
}

/** Do so only where there is one: nothing is connected for it. */
export async function ifKept(exchange) {
  const connection = await kept?.catch(() => null)
  if (connection) await exchange(connection)
}

function keptConnection() {
  if (kept !== null) return kept
  const made = connect()
  const forget = () => {
    if (kept === made) kept = null
  }
  const keep = (connection) => {
    connection.onEnd = forget
    // It is no reason for opencode to go on.
    connection.socket.unref()
  }
  made.then(keep, forget)
  kept = made
  return made
}

async function again(connected, exchange) {
  for (let attempt = 0; ; attempt++) {
    let connection
    let begun = false
    try {
      connection = await connected()
      return await exchange(connection, () => (begun = true))
    } catch (error) {
      // Once a call may have begun, another attempt could run it twice.
      const passes = PASSING.has(error.code) && !(begun && error.code === "gone")
      if (!passes || attempt > 1) throw error
      if (connection === undefined) await startDaemon()
      else connection.close()
    }
  }
}

async function connect() {
  const places = await findPlaces()
  const folder = await openFolder(places.runtime)
  try {
    const path = join(places.runtime, "daemon.sock")
    const fits = Buffer.byteLength(path) <= LONGEST_ADDRESS
    const address = fits ? path : `/proc/self/fd/${folder.fd}/daemon.sock`
    const connection = new Connection(await open(address))
    try {
      await connection.greet(places)
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  } finally {
    await folder.close()
  }
}

function open(address) {
  return new Promise((fulfil, fail) => {
    const socket = createConnection(address)
    socket.once("connect", () => fulfil(socket))
    socket.once("error", (error) => {
      fail(new DaemonError(`no daemon listens: ${error.message}`, "not_running"))
    })
  })
}

async function findPlaces() {
  const state = process.env.XDG_STATE_HOME ?? ""
  const ours = join(isAbsolute(state) ? state : join(homedir(), ".local/state"), "agent_exec")
  const secrets = join(ours, "secrets")
  const runtime = process.env.XDG_RUNTIME_DIR ?? ""
  const found = isAbsolute(runtime) ? await fs.stat(runtime).catch(() => null) : null
  if (found?.isDirectory()) return { runtime: join(runtime, "agent_exec"), secrets }
  return { runtime: join(ours, "run"), secrets }
}

async function openFolder(path) {
  const handle = await openOurs(path, constants.O_DIRECTORY)
  const found = await handle.stat()
  if (isOurs(found)) return handle
  await handle.close()
  throw new DaemonError(`${path} has to belong to you, with mode 0700`, "not_safe")
}

async function readToken(path) {
  const handle = await openOurs(path, constants.O_NONBLOCK)
  try {
    const found = await handle.stat()
    if (!found.isFile() || !isOurs(found)) {
      throw new DaemonError(`${path} has to be a file of yours with mode 0600`, "not_safe")
    }
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

async function openOurs(path, flag) {
  try {
    return await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | flag)
  } catch (error) {
    const code = error.code === "ENOENT" ? "not_running" : "not_safe"
    throw new DaemonError(`${path}: ${error.message}`, code)
  }
}

function isOurs(found) {
  return found.uid === process.geteuid() && (found.mode & 0o077) === 0
}

function proof(token, side, nonces, pid) {
  return createHmac("sha256", token).update(`${side} ${nonces} ${pid}`).digest("hex")
}

/** `agent-exec daemon`, which returns when one listens. */
async function startDaemon() {
  const [program, ...words] = setup.program
  const child = spawn(program, [...words, "daemon"], { stdio: ["ignore", "ignore", "pipe"] })
  let said = ""
  child.stderr.on("data", (chunk) => (said = (said + chunk).slice(-2000)))
  const late = setTimeout(() => child.kill("SIGKILL"), START_MS)
  try {
    const status = await new Promise((fulfil, fail) => {
      child.once("error", fail)
      child.once("close", fulfil)
    })
    if (status !== 0) throw new Error(said.trim() || `exit status ${status}`)
  } catch (error) {
    throw new DaemonError(`agent_exec has no daemon: ${error.message}`, "failed")
  } finally {
    clearTimeout(late)
  }
}

/** One connection; what was asked for on it ends with it. */
class Connection {
  constructor(socket) {
    this.socket = socket
    this.onEnd = null
    this.parts = []
    this.waiting = new Map()
    this.lastId = 0
    socket.on("data", (chunk) => this.take(chunk))
    socket.on("error", (error) => this.end(error.message))
    socket.on("close", () => this.end("it closed the connection"))
  }

  async greet(places) {
    const late = setTimeout(() => this.socket.destroy(), HANDSHAKE_MS)
    try {
      const nonce = randomBytes(16).toString("hex")
      const { protocol, version } = setup
      const hello = await this.request("hello", { protocol, version, nonce })
      // Read now: a daemon that has just started has made a new one.
      const token = await readToken(join(places.secrets, "daemon.token"))
      const nonces = `${nonce} ${hello.nonce}`
      if (hello.proof !== proof(token, "daemon", nonces, hello.pid)) {
        throw new DaemonError("what listens there is not the daemon", "not_trusted")
      }
      await this.request("prove", { proof: proof(token, "client", nonces, hello.pid) })
    } finally {
      clearTimeout(late)
    }
  }

  /** Ask for one thing. `signal` cancels it: what it has started has ended when this rejects. */
  request(op, fields, { signal, onProgress } = {}) {
    const id = ++this.lastId
    return new Promise((fulfil, fail) => {
      let late
      const cancel = () => {
        this.send({ id: ++this.lastId, op: "cancel", request: id })
        late = setTimeout(() => this.socket.destroy(), CANCEL_MS)
      }
      const settled = (settle) => (value) => {
        clearTimeout(late)
        signal?.removeEventListener("abort", cancel)
        settle(value)
      }
      this.waiting.set(id, { fulfil: settled(fulfil), fail: settled(fail), onProgress })
      if (this.socket.destroyed) return this.end("it closed the connection")
      this.send({ id, op, ...fields })
      signal?.addEventListener("abort", cancel)
      if (signal?.aborted) cancel()
    })
  }

  send(message) {
    if (!this.socket.destroyed) this.socket.write(`${JSON.stringify(message)}\n`)
  }

  take(chunk) {
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.parts.push(chunk.subarray(from, at))
      const line = Buffer.concat(this.parts).toString("utf8")
      this.parts = []
      from = at + 1
      this.receive(line)
    }
    if (from < chunk.length) this.parts.push(chunk.subarray(from))
  }

  receive(line) {
    let message
    try {
      message = JSON.parse(line)
    } catch {
      this.socket.destroy()
      return
    }
    if (message.id === null && message.error) return this.end(message.error.message, message.error.code)
    const request = this.waiting.get(message.id)
    if (request === undefined) return
    if (message.progress) return request.onProgress?.(message.progress)
    this.waiting.delete(message.id)
    if (message.error) request.fail(new DaemonError(message.error.message, message.error.code))
    else request.fulfil(message.ok)
  }

  end(why, code = "gone") {
    this.close()
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const { fail } of waiting) fail(new DaemonError(`the daemon has gone: ${why}`, code))
  }

  close() {
    this.onEnd?.()
    this.socket.destroy()
  }
}
