import type { CheckerFactory } from '../checker.js';
import { announced } from './announced.js';
import { doubleAnswer } from './double_answer.js';
import { lastResort } from './last_resort.js';
import { ownerChange } from './owner_change.js';
import { placement } from './placement.js';
import { settled } from './settled.js';
import { singleAnswerer } from './single_answerer.js';
import { terms } from './terms.js';
import { unanswered } from './unanswered.js';
import { undesired } from './undesired.js';

export const ALL_CHECKERS: readonly CheckerFactory[] = [
  undesired,
  doubleAnswer,
  placement,
  ownerChange,
  announced,
  terms,
  unanswered,
  settled,
  lastResort,
];

/** What holds where records come first: who fails is replaced when its session is over, and not sooner. */
export const FENCED_CHECKERS: readonly CheckerFactory[] = [
  undesired,
  singleAnswerer,
  announced,
  terms,
  settled,
  lastResort,
];
