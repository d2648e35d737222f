// A counter in lowdb: node lowdb-before.mjs FILE TIMES
import { JSONFilePreset } from 'lowdb/node'

const [file, times] = process.argv.slice(2)
const db = await JSONFilePreset(file, { visits: 0 })
for (let i = 0; i < Number(times); i++) {
  await db.read()
  await db.update((data) => data.visits++)
}
