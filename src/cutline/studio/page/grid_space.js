// @ts-check
/** Places in a grid that is higher than an element can be: the scroll bar's way is a part of the content's. Pure functions. */

/** How far down the content the visible part begins. @param {number} scroll @param {number} content @param {number} view @param {number} space heights in pixels; `space` is the element's */
export const offsetOf = (scroll, content, view, space) => (space <= view ? 0 : (scroll / (space - view)) * (content - view));

/** What a pixel of the content is on the scroll bar. @param {number} content @param {number} view @param {number} space */
export const scaleOf = (content, view, space) => (content > view ? (space - view) / (content - view) : 1);
