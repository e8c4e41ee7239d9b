"""The two sorts of the e-graph: ``T`` is what is computed, ``L`` how and where, ``B`` memory.

Element types are part of an operator's name (``add.f32``), so a rule instance matches one type.
``free`` is the bit set of axes that a value depends on; equal terms depend only on the axes
that both depend on, so its merge is intersection. ``low`` and ``high`` are bounds of integers, where
they are known better than by the type. ``At(t, c, space)`` asks for value ``t`` with
one element per lane of axis ``c - 1`` (``c = 0``: one scalar at a time) in a vector register
(``v``), mask register (``m``) or scalar register (``s``); tiles have two axes (tile_rules.py);
banks hold whole arrays (near_memory_rules.py).
``Mem(t, layout)`` asks for ``t`` in memory.
"""

LOGICAL = ("Leaf", "Const", "P1", "P2", "P3", "Red", "Scan", "View", "Gather", "Cat", "Fold")
PHYSICAL = (
    "Alias", "Ins1", "Ins2", "Ins3", "Ins4", "Acc1", "Acc2", "Lanes1", "Lanes2", "Load", "LoadView",
    "Splat", "Imm", "Arg", "Index", "Held", "FoldL", "ScanL", "GatherL", "Count",
    "TLoad", "TLoadView", "TMul", "TMulFrom", "TSum", "TOp", "NBank", "NIns", "NStart", "NMac", "NAdd",
)  # fmt: skip
MEMORY = ("InBuf", "Stored", "Join", "TStored", "NStored", "NRelu", "NSum", "NTotal", "NProduct")
DEMAND = ("At", "Mem")
LISTS = ("LNil", "LCons", "BNil", "BCons")

DECLARATIONS = """
(sort T) (sort TL) (sort L) (sort LL) (sort B) (sort BL)
(constructor Id (i64) T :unextractable)
(constructor Leaf (i64) T)
(constructor Const (i64 String) T)
(constructor P1 (String T) T) (constructor P2 (String T T) T) (constructor P3 (String T T T) T)
(constructor Red (String i64 T) T) (constructor Scan (String i64 T) T)
(constructor View (i64 T) T) (constructor Gather (i64 T T) T)
(constructor TNil () TL) (constructor TCons (T TL) TL)
(constructor Cat (i64 TL) T) (constructor Fold (i64 TL) T)
(function free (T) i64 :merge (& old new))
(function viewmask (i64) i64 :no-merge) (function viewadd (i64) i64 :no-merge)
(function low (T) i64 :merge (max old new)) (function high (T) i64 :merge (min old new))
(relation Material (T))
(relation Lane (i64 i64))

(constructor At (T i64 String) L :unextractable)
(constructor Mem (T i64) B :unextractable)
(constructor Alias (L) L)
(constructor Ins1 (String L) L) (constructor Ins2 (String L L) L) (constructor Ins3 (String L L L) L)
(constructor Ins4 (String L L L L) L)
(constructor Acc1 (String i64 L) L) (constructor Acc2 (String i64 L L) L)
(constructor Lanes1 (String i64 L) L) (constructor Lanes2 (String i64 L L) L)
(constructor Count (i64 L) L)
(constructor Load (i64 B) L) (constructor LoadView (i64 i64 B) L)
(constructor Splat (i64 L) L) (constructor Imm (i64 String) L) (constructor Arg (i64) L)
(constructor Index (i64 i64 String) L) (constructor Held (i64 i64) L)
(constructor LNil () LL) (constructor LCons (L LL) LL)
(constructor FoldL (i64 i64 LL) L)
(constructor ScanL (String i64 i64 L) L)
(constructor GatherL (i64 i64 B L) L)
(constructor TLoad (i64 String B) L) (constructor TLoadView (i64 i64 String B) L)
(constructor TMul (String i64 L L) L) (constructor TMulFrom (String i64 L L L) L)
(constructor TSum (i64 L) L) (constructor TOp (String L) L)
(constructor TStored (i64 i64 L) B)
(constructor NBank (B) L) (constructor NIns (String L L) L) (constructor NStart (L) L)
(constructor NMac (L L L) L) (constructor NAdd (L L) L)
(constructor NStored (i64 L) B) (constructor NRelu (i64 L) B) (constructor NSum (String i64 L L) B)
(constructor NTotal (String i64 L) B)
(constructor NProduct (i64 String i64 L B) B)
(constructor InBuf (i64) B) (constructor Stored (i64 i64 L) B)
(constructor BNil () BL) (constructor BCons (B BL) BL) (constructor Join (i64 i64 BL) B)
(ruleset analysis) (ruleset algebra) (ruleset elementary) (ruleset physical)
"""

ANALYSIS = """
(rule ((= e (View i x)) (= a (free x)) (= m (viewmask i)) (= a (& a m))) ((union e x)) :ruleset analysis)
(rule ((= e (Gather k x i)) (= a (free x)) (= 0 (& a (<< 1 k)))) ((union e x)) :ruleset analysis)
(rule ((= e (Const b t))) ((set (free e) 0)) :ruleset analysis)
(rule ((= e (P1 o x)) (= a (free x))) ((set (free e) a)) :ruleset analysis)
(rule ((= e (P2 o x y)) (= a (free x)) (= b (free y))) ((set (free e) (| a b))) :ruleset analysis)
(rule ((= e (P3 o x y z)) (= a (free x)) (= b (free y)) (= c (free z)))
      ((set (free e) (| a (| b c)))) :ruleset analysis)
(rule ((= e (Red o k x)) (= a (free x))) ((set (free e) (& a (not-i64 (<< 1 k))))) :ruleset analysis)
(rule ((= e (Scan o k x)) (= a (free x))) ((set (free e) (| a (<< 1 k)))) :ruleset analysis)
(rule ((= e (View i x)) (= a (free x)) (= m (viewmask i)) (= n (viewadd i)))
      ((set (free e) (| n (& a m)))) :ruleset analysis)
(rule ((= e (Gather k x i)) (= a (free x)) (= b (free i)))
      ((set (free e) (| b (& a (not-i64 (<< 1 k)))))) :ruleset analysis)
"""
