// All scenarios, in the order in which they run.

import { archiveScenario } from './scenarios/archive.ts'
import { claimScenarios } from './scenarios/claims.ts'
import { burstScenario, deliveryScenario } from './scenarios/deliveries.ts'
import { elsewhereScenarios } from './scenarios/elsewhere.ts'
import { eventsScenario } from './scenarios/events.ts'
import { farmScenarios } from './scenarios/farm.ts'
import { idleScenario, memoryScenario } from './scenarios/idle.ts'
import { jciScenarios } from './scenarios/jci.ts'
import { jobsScenario } from './scenarios/jobs.ts'
import { logsScenario } from './scenarios/logs.ts'
import { manyFilesScenarios } from './scenarios/many-files.ts'
import { pushScenario } from './scenarios/push.ts'
import { startScenarios } from './scenarios/start.ts'
import { taskScenario } from './scenarios/task.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [
  pushScenario,
  taskScenario,
  jobsScenario,
  eventsScenario,
  deliveryScenario,
  burstScenario,
  ...claimScenarios,
  logsScenario,
  archiveScenario,
  memoryScenario,
  idleScenario,
  ...farmScenarios,
  ...startScenarios,
  ...elsewhereScenarios,
  ...manyFilesScenarios,
  ...jciScenarios,
]
