import type { StageTool, ToolPointer } from "../tools";

/** What a key means to the tool at work, before it means anything to the page. */
export interface ToolKey {
  /** KeyboardEvent.key */
  readonly key: string;
  readonly shift: boolean;
  readonly ctrl: boolean;
  readonly alt: boolean;
}

export interface KeyTool extends StageTool {
  /** True if the key is the tool's. */
  key?(key: ToolKey): boolean;
  /** What waits to be saved is saved: another command comes. */
  settle?(): void;
  /** The tool is put away, or another image comes: what is not complete is dropped, unless the tool keeps it. */
  finish?(): void;
}

/** A press and what followed it, told at once. */
export function replay(tool: KeyTool | null, first: ToolPointer | undefined, drag: readonly ToolPointer[], last: ToolPointer | undefined): void {
  if (!tool || !first || !last || !tool.down(first)) return;
  tool.drag?.(drag);
  tool.up?.(last);
}
