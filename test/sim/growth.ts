export function growthTable(_progress: (line: string) => void): string {
  return '';
}
