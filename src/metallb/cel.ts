// Rules in CEL that the API server checks when an object is written. They refuse early what one object alone decides; what they
// let through is still judged by configuration.ts. The API server bounds what a rule may cost, so the longer checks are not here:
// the order of IPv6 ranges, expressions that are equal but for the order of their values, and all that concerns two objects.

/** x-kubernetes-validations. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly reason?: 'FieldValueInvalid' | 'FieldValueRequired' | 'FieldValueDuplicate';
}

/** Of an entry of spec.addresses. */
export function addressRules(): CelRule[] {
  const ends = "self.split('-')";
  const first = `${ends}[0].trim()`;
  const last = `${ends}[1].trim()`;
  // Each end by itself: all() would be charged as if there were as many ends as the text has characters.
  const isRange = `${ends}.size() == 2 && isIP(${first}) && isIP(${last})`;
  /** What is not a range at all is told by the first rule, and by that alone. */
  const ofRange = (rule: string) => `!(${isRange}) || ${rule}`;
  const part = (end: string, index: number) => `int(${end}.split('.')[${index}])`;
  /** The four numbers of an IPv4 address as one. */
  const number = (end: string) =>
    `((${part(end, 0)} * 256 + ${part(end, 1)}) * 256 + ${part(end, 2)}) * 256 + ${part(end, 3)}`;
  return [
    {
      rule: `self.contains('-') ? ${isRange} : isCIDR(self)`,
      message: 'must be a prefix such as 192.0.2.0/24, or FIRST-LAST such as 192.0.2.10-192.0.2.20',
      reason: 'FieldValueInvalid',
    },
    {
      rule: ofRange(`ip(${first}).family() == ip(${last}).family()`),
      message: 'begins and ends in different address families',
      reason: 'FieldValueInvalid',
    },
    {
      rule: ofRange(`self.contains(':') || ${number(first)} <= ${number(last)}`),
      message: 'ends before it begins',
      reason: 'FieldValueInvalid',
    },
  ];
}

/** Of an entry of matchExpressions. */
export function requirementRules(): CelRule[] {
  return [
    {
      rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
      message: 'In and NotIn need values, Exists and DoesNotExist take none',
      reason: 'FieldValueInvalid',
    },
    {
      rule: 'size(self.key) > 0',
      message: 'the name of the label is missing',
      reason: 'FieldValueRequired',
    },
  ];
}

/** Of a list of selectors. A list that is a set would do it without a rule, but server-side apply takes no sets of objects. */
export function selectorListRules(): CelRule[] {
  return [
    {
      rule: 'self.all(one, self.exists_one(other, other == one))',
      message: 'a selector stands in the list twice',
      reason: 'FieldValueDuplicate',
    },
  ];
}
