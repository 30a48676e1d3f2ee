import { reaperScenarios } from './reaper-scenarios.ts'
import type { Scenario } from './scenario.ts'

/** All that is crashed. */
export const scenarios: readonly Scenario[] = reaperScenarios.slice(2)
