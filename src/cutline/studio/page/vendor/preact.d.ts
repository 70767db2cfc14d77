/** Types of what preact.js exports, for `tsc --checkJs`; kept by hand. */
export interface ReadonlySignal<T> {
  readonly value: T;
  peek(): T;
  subscribe(listener: (value: T) => void): () => void;
}
export interface Signal<T> extends ReadonlySignal<T> {
  value: T;
}
type Ends = void | (() => void);
export function signal<T>(value: T): Signal<T>;
export function computed<T>(compute: () => T): ReadonlySignal<T>;
export function effect(run: () => Ends): () => void;
export function batch<T>(run: () => T): T;
export function untracked<T>(run: () => T): T;
export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function h(type: any, props: any, ...children: any[]): any;
export const Fragment: any;
export function render(tree: any, place: HTMLElement): void;
export function createRef<T>(): { current: T | null };
export function useEffect(run: () => Ends, inputs?: readonly unknown[]): void;
export function useLayoutEffect(run: () => Ends, inputs?: readonly unknown[]): void;
export function useRef<T>(value: T): { current: T };
export function useState<T>(value: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export function useMemo<T>(compute: () => T, inputs: readonly unknown[]): T;
export function useCallback<T extends (...values: any[]) => any>(call: T, inputs: readonly unknown[]): T;
export function useComputed<T>(compute: () => T): ReadonlySignal<T>;
export function useSignal<T>(value: T): Signal<T>;
export function useSignalEffect(run: () => Ends): void;
