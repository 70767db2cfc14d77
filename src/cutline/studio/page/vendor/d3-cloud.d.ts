/** Types of what d3-cloud.js exports, for `tsc --checkJs`; kept by hand. */
export function cloud(): any;
