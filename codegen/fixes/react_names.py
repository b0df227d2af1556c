"""Names that `react` exports and that mean nothing else in an application: what a missing import of them can be."""

_VALUES = """
Fragment PureComponent StrictMode Suspense cloneElement createContext
createElement createRef forwardRef isValidElement lazy memo startTransition useActionState useCallback useContext
useDebugValue useDeferredValue useEffect useEffectEvent useId useImperativeHandle useInsertionEffect
useLayoutEffect useMemo useOptimistic useReducer useRef useState useSyncExternalStore useTransition
"""
_TYPES = """
AnchorHTMLAttributes ButtonHTMLAttributes CSSProperties ChangeEvent ChangeEventHandler ClipboardEventHandler
ComponentProps ComponentPropsWithRef ComponentPropsWithoutRef ComponentRef ComponentType DetailedHTMLProps Dispatch
DragEventHandler ElementRef ElementType EventHandler FC FocusEventHandler FormEventHandler
ForwardRefExoticComponent ForwardedRef FunctionComponent HTMLAttributes HTMLProps ImgHTMLAttributes
InputHTMLAttributes JSX JSXElementConstructor KeyboardEventHandler LabelHTMLAttributes MouseEventHandler
MutableRefObject PointerEventHandler PropsWithChildren PropsWithRef ReactElement ReactEventHandler ReactNode
ReactPortal RefAttributes RefCallback RefObject SVGAttributes SVGProps SelectHTMLAttributes
SetStateAction SyntheticEvent TextareaHTMLAttributes UIEventHandler WheelEventHandler FormEvent
"""
VALUES = frozenset(_VALUES.split())
TYPES = frozenset(_TYPES.split())
