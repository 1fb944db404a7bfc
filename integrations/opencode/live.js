// agent_exec: shows in opencode what a call writes, while it runs.
//
// A tool file has `context.metadata` for this, which opencode 1.18 gives it in a form that does
// nothing. So the part of the message that stands for the call is changed through opencode's own
// API, by the client that it gives to plugins.

const MOST_SHOWN = 30000
const LATE_MS = 3000
const PART = "/session/{sessionID}/message/{messageID}/part/{partID}"

const servers = new Map()

/** The plugin of a directory has this client of the server. */
export function serve(directory, client) {
  servers.set(directory, client?._client)
}

export class Live {
  constructor(context, title) {
    this.context = context
    this.title = title
    this.output = ""
    this.shown = ""
    this.sending = null
  }

  add({ stdout = "", stderr = "" }) {
    if (!stdout && !stderr) return
    this.output = (this.output + stdout + stderr).slice(-MOST_SHOWN)
    this.context.metadata({ title: this.title, metadata: { output: this.output } })
    // What comes while one is on its way goes with the next.
    this.sending ??= this.send().finally(() => (this.sending = null))
  }

  /** Nothing is changed any more when this returns: the end of the call is opencode's to show. */
  async end() {
    this.ended = true
    await this.sending
  }

  async send() {
    const server = servers.get(this.context.directory)
    if (!server) return
    while (this.shown !== this.output && !this.ended && !this.context.abort.aborted) {
      this.shown = this.output
      // Only something to look at: without it the call goes on just the same.
      await this.change(server).catch(() => (this.ended = true))
    }
  }

  async change(server) {
    const { sessionID, messageID, callID } = this.context
    const path = { sessionID, messageID }
    const signal = () => AbortSignal.timeout(LATE_MS)
    const { data } = await server.get({
      url: "/session/{sessionID}/message/{messageID}",
      path,
      signal: signal(),
    })
    const part = data?.parts?.find((one) => one.callID === callID)
    if (part?.state?.status !== "running" || this.ended || this.context.abort.aborted) return
    const state = { ...part.state, title: this.title, metadata: { output: this.shown } }
    await server.patch({
      url: PART,
      path: { ...path, partID: part.id },
      body: { ...part, state },
      headers: { "Content-Type": "application/json" },
      signal: signal(),
    })
  }
}
