// Launches programs with execFile, as agent-exec bench launch asks: one JSON object a line
// on stdin, one on stdout. Resident, so that what is measured is compiled and warm.
"use strict";

const { execFile } = require("node:child_process");
const readline = require("node:readline");

function launch(task) {
  return new Promise((resolve, reject) => {
    const options = { cwd: task.cwd, env: task.env, encoding: "buffer" };
    const child = execFile(task.argv[0], task.argv.slice(1), options, (error, stdout, stderr) => {
      if (error) reject(error);
      else if (!stdout.equals(task.stdout)) reject(new Error(`stdout is ${stdout}`));
      else if (!stderr.equals(task.stderr)) reject(new Error(`stderr is ${stderr}`));
      else resolve();
    });
    child.stdin.end();
  });
}

async function everybody(task, count, latencies) {
  let left = count;
  async function takeTurns() {
    while (left-- > 0) {
      const began = process.hrtime.bigint();
      await launch(task);
      latencies.push(Number(process.hrtime.bigint() - began));
    }
  }
  await Promise.all(Array.from({ length: task.in_flight }, takeTurns));
}

async function measure(task) {
  task.stdout = Buffer.from(task.stdout, "base64");
  task.stderr = Buffer.from(task.stderr, "base64");
  await everybody(task, task.warm_up, []);
  const latencies_ns = [];
  const cpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  await everybody(task, task.launches, latencies_ns);
  const elapsed_ns = Number(process.hrtime.bigint() - began);
  const used = process.cpuUsage(cpu);
  return { elapsed_ns, cpu_ns: (used.user + used.system) * 1000, latencies_ns };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = await measure(JSON.parse(line));
    } catch (error) {
      answer = { error: String(error.message) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
})();
