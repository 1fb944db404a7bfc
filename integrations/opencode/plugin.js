// agent_exec: judges the built-in shell tool, and lets our tools show what they do.
// `agent-exec opencode uninstall` removes it.

import { endSession, judge } from "../agent_exec/client.js"
import { serve } from "../agent_exec/live.js"
import setup from "../agent_exec/setup.js"

// It has the second name from opencode 2 on.
const SHELLS = new Set(["bash", "shell"])

export const AgentExec = async ({ client, directory, worktree }) => {
  serve(directory, client)
  const event = async ({ event: { type, properties } }) => {
    // Only something to tidy up: what goes wrong here ends with opencode at the latest.
    if (type === "session.deleted") await endSession(properties.info?.id).catch(() => {})
  }
  if (!setup.guard) return { event }
  // What is thrown here reaches the model, and nothing runs.
  return {
    event,
    "tool.execute.before": async ({ tool }, output) => {
      if (SHELLS.has(tool)) await guard({ directory, worktree }, output)
    },
  }
}

async function guard(context, output) {
  const { command, workdir, timeout } = output.args ?? {}
  if (typeof command !== "string") throw new Error("agent_exec: send command, a text")
  let ruling
  try {
    ruling = await judge(context, command, workdir, timeout)
  } catch (error) {
    throw new Error(`agent_exec could not judge this command, so it does not run: ${error.message}`)
  }
  const because = ruling.because.join("; ")
  if (ruling.verdict === "allow") {
    if (ruling.command !== null) output.args.command = ruling.command
  } else if (ruling.verdict === "ask") {
    // Whether opencode would ask is up to its settings, and no hook can ask.
    const instead = setup.tool
      ? `call the tool ${setup.tool} with {"command": ...}: it asks the user`
      : "do it another way that this policy allows, or ask the user to do it"
    throw new Error(`agent_exec has to ask about this: ${because}. Instead, ${instead}.`)
  } else {
    const instead = "Do it another way that this policy allows, or ask the user to do it."
    throw new Error(`agent_exec does not allow this: ${because}. ${instead}`)
  }
}
