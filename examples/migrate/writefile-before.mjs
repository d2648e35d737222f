// A counter with fs.readFile and fs.writeFile: node writefile-before.mjs FILE TIMES
import { readFile, writeFile } from 'node:fs/promises'

const [file, times] = process.argv.slice(2)
for (let i = 0; i < Number(times); i++) {
  const data = JSON.parse(await readFile(file, 'utf8'))
  data.visits++
  await writeFile(file, JSON.stringify(data, null, 2))
}
